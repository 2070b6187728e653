/**
 * Memory that logins hold before they are finished. Whoever reaches the port can begin one and send half a frame of
 * 128 KiB: one does no harm, and ten thousand are not more than {@link HANDSHAKE_BYTES_MAX}.
 */

/** What all unfinished logins of a server may hold, in bytes. */
export const HANDSHAKE_BYTES_MAX: number = 32 * 1024 * 1024;

/** Shared by all connections of a server. */
export class HandshakeMemory {
  bytes: number;

  constructor() {
    this.bytes = 0;
  }

  /** Takes so many bytes more; false, and nothing taken, when that is too much. */
  grow(bytes: number): boolean {
    if (this.bytes + bytes > HANDSHAKE_BYTES_MAX) return false;
    this.bytes += bytes;
    return true;
  }

  shrink(bytes: number): void {
    this.bytes -= bytes;
  }
}

/** Memory of one unfinished login that is not counted: client properties of real clients fit. */
const FREE_BYTES = 4096;

/** What one unfinished login holds of it. */
export class HandshakeShare {
  private readonly memory: HandshakeMemory;
  private bytes: number;

  constructor(memory: HandshakeMemory) {
    this.memory = memory;
    this.bytes = 0;
  }

  /** The login holds `size` bytes now; false when all of them together hold too much. */
  set(size: number): boolean {
    const bytes = size <= FREE_BYTES ? 0 : size;
    if (!this.memory.grow(bytes - this.bytes)) return false;
    this.bytes = bytes;
    return true;
  }

  /** The login is over. */
  release(): void {
    this.memory.shrink(this.bytes);
    this.bytes = 0;
  }
}
