const MIB = 1024 * 1024;
const HOUR_MS = 3_600_000;

/** Every number of the room. A machine's files are not trusted to be small, nor another member to be quick. */
export const RESOURCE_LIMITS = {
  /** How much of one file is read; the rest is left and named in `incomplete`. */
  fileBytesMax: 64 * 1024,
  /** /proc/cpuinfo says 1.5 KiB for each thread, and there are machines with thousands. */
  cpuinfoBytesMax: 8 * MIB,
  /** Entries of one folder. */
  folderEntriesMax: 4096,
  /** Files and folders opened in one reading. */
  opensMax: 50_000,
  /** Operations on files at a time: Node.js has four threads for them, and others wait there too. */
  openAtOnceMax: 8,
  /** One name, model or serial number. */
  textCharsMax: 256,
  cpusMax: 8192,
  /** Devices of a kind. */
  devicesMax: 1024,
  addressesPerCardMax: 32,

  /** A cache file, and another member's answer. */
  answerBytesMax: 4 * MIB,
  /** Members whose facts are kept; the longest unread go. */
  cacheFilesMax: 256,
  /** Members whose word that their machine has changed is remembered. */
  changedMax: 1024,
  /** How long facts are taken as they were read… */
  factsValidMs: 24 * HOUR_MS,
  /** …at the most: each entry's time is shortened by chance, up to this, so that members are not all asked at once. */
  factsJitterMs: 2 * HOUR_MS,
  /** One member has this long to answer. */
  askTimeoutMs: 3000,
  /** A member that failed is not asked again for this long, unless by --refresh. */
  failureMemoryMs: 30_000,
} as const;
