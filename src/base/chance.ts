/** The only door to chance: 0 inclusive to 1 exclusive. Tests hand in a seeded one. */
export type Random = () => number;

/** The machine's. For spreading and ids that need not be secret. */
export const systemRandom: Random = () => Math.random();
