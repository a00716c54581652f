/** Something that runs between start and stop. Both are called once; stop waits until nothing is left running. */
export interface Service {
  start(): Promise<void>;
  stop(): Promise<void>;
}
