/** One field in which a live object differs from what its bundle asks for. Values of Secrets are masked. */
export interface Difference {
  /** As people write it: `spec.template.spec.containers[name=app].image`. */
  readonly path: string;
  /** The same as an RFC 6901 pointer into the live object; an item that its list lacks is `-`. */
  readonly pointer: string;
  /** What stands in the cluster, as short JSON; absent where the field is missing there. */
  readonly live?: string;
  /** What our bundle would make of it, as short JSON; absent where it would remove the field. */
  readonly wanted?: string;
  /** The field manager that owns the live field, where `managedFields` tells. */
  readonly manager?: string;
  /** When that manager last wrote, RFC 3339. */
  readonly time?: string;
}
