/** One pattern of a git generator. */
export interface PathItem {
  readonly path: string;
  readonly exclude?: boolean;
}

/** `git` of a set. */
export interface GitGenerator {
  readonly repoURL: string;
  readonly revision: string;
  readonly directories?: readonly PathItem[];
  readonly files?: readonly PathItem[];
  readonly pathParamPrefix?: string;
  readonly values?: Readonly<Record<string, string>>;
}
