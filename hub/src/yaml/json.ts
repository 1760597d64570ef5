/** A value as YAML and JSON know it. Integers beyond 2^53 are bigints. */
export type Json = null | boolean | number | bigint | string | readonly Json[] | { readonly [key: string]: Json };

/** A map of them. */
export type JsonObject = { readonly [key: string]: Json };
