import t from 'tap';
import { LiveReport } from './live-report.ts';

class RecordingStream {
  readonly isTTY: boolean;
  text = '';

  constructor(isTTY: boolean) {
    this.isTTY = isTTY;
  }

  write(text: string): void {
    this.text += text;
  }
}

t.test('a program that reads along gets a line for each second', async (t) => {
  const stream = new RecordingStream(false);
  const report = new LiveReport(stream);
  report.show('a', { share: 0.5, text: 'half' });
  report.show('b', { share: 1, text: 'all' });
  report.end();
  t.equal(stream.text, 'a\nb\n');
});

t.test('a terminal has below the lines how far it is, until the end', async (t) => {
  const stream = new RecordingStream(true);
  const report = new LiveReport(stream);
  report.show('a', { share: 0.5, text: 'half' });
  t.equal(stream.text, '\r\x1b[Ka\n[##########          ] 50 %, half');
  stream.text = '';
  report.show('b', { share: null, text: '3 s' });
  t.equal(stream.text, '\r\x1b[Kb\n3 s');
  stream.text = '';
  report.end();
  t.equal(stream.text, '\r\x1b[K');
});

t.test('one that is to be quiet says nothing', async () => {
  const report = new LiveReport(null);
  report.show('a', { share: 0.5, text: 'half' });
  report.end();
});
