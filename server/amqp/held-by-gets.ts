/** Thrown, before anything has changed, by a settlement that has to wait for the gets of its channel. */
export class HeldByGets extends Error {}
