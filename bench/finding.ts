/** Something found beside the table of rates: a figure, what it is held against, and the bar. */
export interface Finding {
  readonly section: string;
  readonly what: string;
  readonly figure: number;
  readonly unit: string;
  /** What it is compared with: etcd's figure, or kedge's own under easier conditions. */
  readonly against?: { readonly what: string; readonly figure: number };
  /** The bar in words, and whether it was cleared; absent where nothing is asked. */
  readonly bar?: { readonly text: string; readonly isCleared: boolean };
}
