/**
 * A server that sends back what it gets once that is on the disk, and nothing else: the least that a confirm can take
 * here. Its argument is the file, which has its blocks before the first message; its port is the first line it prints.
 */
import { fdatasync, fsyncSync, openSync, writeSync } from 'node:fs';
import { createServer } from 'node:net';

const FILE_BYTES = 1024 * 1024;

const [path] = process.argv.slice(2);
if (path === undefined) throw new Error('which file?');
const fd = openSync(path, 'w');
writeSync(fd, Buffer.alloc(FILE_BYTES, 0x66));
fsyncSync(fd);
let at = 0;

const server = createServer({ noDelay: true }, (socket) => {
  socket.on('data', (chunk: Buffer) => {
    if (at + chunk.length > FILE_BYTES) at = 0;
    writeSync(fd, chunk, 0, chunk.length, at);
    at += chunk.length;
    fdatasync(fd, (error) => {
      if (error === null) socket.write(chunk);
      else socket.destroy(error);
    });
  });
  socket.on('error', () => socket.destroy());
});
server.listen(0, '127.0.0.1', () => {
  const address = server.address();
  if (address !== null && typeof address === 'object') console.log(String(address.port));
});
process.once('SIGTERM', () => process.exit(0));
