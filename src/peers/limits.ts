const SECOND_MS = 1000;
const MINUTE_MS = 60 * SECOND_MS;
const KIB = 1024;

/** Every number that bounds the peers, units last. The first ones are defaults of options, the rest is fixed. */
export const PEER_LIMITS = {
  /** Links to hold; addresses are dialled until there are so many. */
  linksMax: 32,
  /** The most that --peer-max can be set to. */
  linksMaxMax: 1024,
  heartbeatMs: 2 * SECOND_MS,
  heartbeatMinMs: 100,
  deadAfterMs: 6 * SECOND_MS,
  port: 2380,

  // Before anybody has proven anything.
  /** Inbound connections that are not links yet. */
  handshakesMax: 64,
  /** From accept or connect until the link stands. */
  handshakeMs: 3 * SECOND_MS,
  connectMs: 2 * SECOND_MS,
  handshakeFrameBytesMax: 8 * KIB,
  /** Inbound connections per remote address: so many at once, then so many per second. */
  handshakeBurst: 48,
  handshakesPerSecond: 16,
  /** Remote addresses whose rate is remembered. */
  rateAddressesMax: 1024,

  // Of a member that has.
  frameBytesMax: 1024 * KIB,
  /** Above it hints and messages to a slow member are left out. */
  linkBufferBytesSoft: 256 * KIB,
  /** Above it the link is closed. */
  linkBufferBytesMax: 4096 * KIB,
  requestsPerLinkMax: 32,
  requestMs: 3 * SECOND_MS,
  kindBytesMax: 64,
  messageBytesMax: 1000 * KIB,
  /** At most one hint per member in this time; the newest revision wins. */
  hintIntervalMs: 2,
  goodbyeMs: 500,

  // Of a hello.
  addressesPerMemberMax: 16,
  urlsPerMemberMax: 16,
  textBytesMax: 256,

  // Discovery.
  listedMax: 1024,
  dialsMax: 32,
  dialRetryMinMs: 250,
  dialRetryMaxMs: 5 * SECOND_MS,
  /** Refused for good reason: the reason may go away, but not within seconds. */
  refusedRetryMs: 5 * SECOND_MS,
  selfRetryMs: 5 * MINUTE_MS,
  /** An address that only the table or the file of last known members has may be long gone. */
  hearsayRetryMaxMs: MINUTE_MS,
  /** How long an address that a link or an introduction brought is dialled after the link has gone. */
  inboundKeptMs: 5 * MINUTE_MS,
  lastKnownKeptMs: 10 * MINUTE_MS,
  lastKnownMax: 64,
  lastKnownDelayMs: SECOND_MS,

  // DNS.
  dnsTryMs: SECOND_MS,
  dnsTotalMs: 4 * SECOND_MS,
  dnsTries: 2,
  dnsServersMax: 3,
  dnsUdpBytesMax: 1232,
  dnsTcpBytesMax: 64 * KIB,
  dnsPollMinMs: SECOND_MS,
  /** So long after it was left alone a member asks each second; then it may well be meant to be alone. */
  lonelyMs: MINUTE_MS,
  dnsPollMaxMs: 30 * SECOND_MS,
  hostsFileBytesMax: 1024 * KIB,
  /** How often a name that stands in it is looked up again. */
  hostsPollMs: 5 * SECOND_MS,
  tableMs: 10 * SECOND_MS,
  tableRefreshMinMs: SECOND_MS,

  // Memory of the past.
  refusalsMax: 64,
  departedMax: 256,
  /** Lines about refusals: so many at once, then one a second. */
  refusalLinesBurst: 20,
  /** A member whose link broke and came back gets no duties for so long. */
  flapMs: 30 * SECOND_MS,

  /** A secret shorter than this can be guessed. */
  secretBytesMin: 16,
  secretFileBytesMax: 64 * KIB,
} as const;
