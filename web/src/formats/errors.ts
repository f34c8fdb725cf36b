/** A file that cannot be read or written as a recording; the message is one line. */
export class FormatError extends Error {
  constructor(
    readonly path: string,
    readonly reason: string,
  ) {
    super(`${path}: ${reason}`);
    this.name = "FormatError";
  }
}
