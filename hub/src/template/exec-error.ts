/** A template that fails while it runs, with the offset of the part that failed. */
export class ExecError extends Error {
  readonly offset: number;
  /** The failure is a missing key or field, as Argo CD tells it from others. */
  readonly missingKey: boolean;
  constructor(message: string, offset: number, marks: { readonly missingKey?: boolean } = {}) {
    super(message);
    this.offset = offset;
    this.missingKey = marks.missingKey ?? false;
  }
}
