import t from 'tap';
import { createSilentLogger } from '../telemetry/logger.ts';
import { Alarms } from './alarms.ts';
import { ResourceMonitor } from './resource-monitor.ts';

const MIB = 1024 * 1024;

/** A monitor of 1000 bytes of memory, 2000 resident, 500 of disk unless told, whose gauges the test sets. */
function setUp(freeDiskBytes = 500) {
  const alarms = new Alarms(createSilentLogger());
  const now = {
    pooled: 0,
    sampled: 0,
    resident: 0,
    allocated: 0,
    heap: 0,
    spare: 0,
    disk: 10_000,
    busyShare: 0,
    collected: 0,
  };
  /** What a collection leaves of `allocated`. */
  let afterCollection = Number.POSITIVE_INFINITY;
  const monitor = new ResourceMonitor(
    alarms,
    {
      pooledBytes: () => now.pooled,
      sampledBytes: () => now.sampled,
      residentBytes: () => now.resident,
      allocatedBytes: () => now.allocated,
      freeDiskBytes: () => now.disk,
      heapBytes: () => now.heap,
      takeBusyShare: () => now.busyShare,
      letGo: () => {
        const { spare } = now;
        now.spare = 0;
        return spare;
      },
      collectGarbage: () => {
        now.collected++;
        now.allocated = Math.min(now.allocated, afterCollection);
      },
    },
    { memoryBytes: 1000, residentBytes: 2000, freeDiskBytes },
  );
  const check = (change: Partial<typeof now>) => {
    Object.assign(now, change);
    monitor.check();
    return alarms.reason;
  };
  const garbageLeaves = (bytes: number) => {
    afterCollection = bytes;
  };
  return { alarms, now, monitor, check, garbageLeaves };
}

t.test('all that is accounted counts against the memory mark together', async (t) => {
  const { check, monitor } = setUp();
  t.equal(check({ pooled: 600, sampled: 399 }), '');
  t.equal(monitor.accountedBytes, 999);
  t.equal(check({ sampled: 400 }), 'low on memory');
});

t.test('the memory alarm ends a tenth below its mark, and does not flap between', async (t) => {
  const { check } = setUp();
  t.equal(check({ pooled: 1000 }), 'low on memory');
  t.equal(check({ pooled: 900 }), 'low on memory');
  t.equal(check({ pooled: 899 }), '');
  t.equal(check({ pooled: 999 }), '');
});

t.test('pooled memory is looked at each turn', async (t) => {
  const { alarms, monitor, now } = setUp();
  now.pooled = 1000;
  monitor.endTurn();
  t.ok(alarms.holdsPublishes);
  now.pooled = 0;
  monitor.endTurn();
  t.notOk(alarms.holdsPublishes);
});

t.test('the disk alarm is raised below its mark and ends a tenth above it', async (t) => {
  const { check } = setUp();
  t.equal(check({ disk: 500 }), '');
  t.equal(check({ disk: 499 }), 'low on disk');
  t.equal(check({ disk: 549 }), 'low on disk');
  t.equal(check({ disk: 550 }), '');
});

t.test(
  'a tenth of a large disk mark is more than consumers may free: 128 MiB are enough',
  async (t) => {
    const { check } = setUp(100_000 * MIB);
    t.equal(check({ disk: 99_999 * MIB }), 'low on disk');
    t.equal(check({ disk: 100_127 * MIB }), 'low on disk');
    t.equal(check({ disk: 100_128 * MIB }), '');
  },
);

t.test('both alarms are told as one', async (t) => {
  const { check } = setUp();
  t.equal(check({ disk: 0, pooled: 1000 }), 'low on memory & disk');
  t.equal(check({ disk: 10_000 }), 'low on memory');
});

t.test(
  'resident memory past the hard mark raises the alarm although less is accounted',
  async (t) => {
    const { check } = setUp();
    t.equal(check({ resident: 1999, allocated: 1900 }), '');
    t.equal(check({ resident: 2000 }), 'low on memory');
    t.equal(check({ resident: 1801 }), 'low on memory');
    t.equal(check({ resident: 1799 }), '');
  },
);

t.test('garbage alone raises no alarm: it is collected, and not at every look', async (t) => {
  const { check, now, garbageLeaves } = setUp();
  garbageLeaves(300);
  t.equal(check({ resident: 2500, allocated: 2400 }), '');
  t.equal(now.collected, 1);
  garbageLeaves(1500);
  check({ allocated: 2400 });
  check({ allocated: 2400 });
  t.equal(now.collected, 1);
});

t.test('pages that the allocator keeps hold nobody back once V8 holds little', async (t) => {
  const { check, garbageLeaves } = setUp();
  t.equal(check({ resident: 2500, allocated: 2400 }), 'low on memory');
  t.equal(check({ allocated: 999 }), '', 'the resident memory is as it was');
  t.equal(check({ allocated: 2400 }), 'low on memory');
  garbageLeaves(900);
  for (let looks = 0; looks < 8; looks++) check({});
  t.equal(check({}), '', 'nothing is allocated while all wait, so nobody else collects');
});

t.test('two causes of the memory alarm end on their own', async (t) => {
  const { check } = setUp();
  t.equal(check({ pooled: 1000, resident: 2500, allocated: 2400 }), 'low on memory');
  t.equal(check({ pooled: 0 }), 'low on memory');
  t.equal(check({ resident: 0 }), '');
});

/** What four checks in a row at rest find; the first of them ends the work before. */
function rest({ monitor }: ReturnType<typeof setUp>): void {
  for (let i = 0; i < 5; i++) monitor.check();
}

t.test('what work has left is given back, and collected, once the server rests', async (t) => {
  const server = setUp();
  const { now, monitor } = server;
  rest(server);
  now.spare = 5 * MIB;
  rest(server);
  t.equal(now.collected, 0, 'little is not worth it');
  now.spare = 5 * MIB;
  now.busyShare = 0.11;
  rest(server);
  t.equal(now.collected, 0, 'not while it works');
  now.busyShare = 0.1;
  for (let i = 0; i < 5; i++) {
    for (let turn = 0; turn < 26; turn++) monitor.endTurn();
    monitor.check();
  }
  t.equal(now.collected, 0, 'nor while many would wait for it');
  rest(server);
  t.equal(now.spare, 0);
  t.equal(now.collected, 1);
  rest(server);
  t.equal(now.collected, 1, 'nothing is left to collect');
});

t.test(
  'a heap that has grown much is collected at rest, one that stays large is not',
  async (t) => {
    const server = setUp();
    const { now } = server;
    now.heap = 10 * MIB;
    rest(server);
    t.equal(now.collected, 1, 'what the start has left');
    now.collected = 0;
    now.heap = 17 * MIB;
    rest(server);
    t.equal(now.collected, 0);
    now.heap = 18 * MIB;
    rest(server);
    t.equal(now.collected, 1);
    rest(server);
    t.equal(now.collected, 1);
  },
);
