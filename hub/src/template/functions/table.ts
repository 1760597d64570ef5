import type { GoFunction } from "../value.ts";
import { argoFunctions } from "./argo.ts";
import { builtins } from "./builtins.ts";
import { dataFunctions } from "./data.ts";
import { dateFunctions } from "./dates.ts";
import { dictFunctions } from "./dicts.ts";
import { encodingFunctions, refusedFunctions } from "./encoding.ts";
import { listFunctions } from "./lists.ts";
import { numberFunctions } from "./numbers.ts";
import { regexpFunctions } from "./regexps.ts";
import { secretFunctions } from "./secrets.ts";
import { stringFunctions } from "./strings.ts";
import { urlFunctions } from "./urls.ts";
import { versionFunctions } from "./versions.ts";

/** Every function of a template: Go's, sprig's (without env, expandenv, getHostByName), and Argo CD's. */
export const functionTable: ReadonlyMap<string, GoFunction> = new Map(
  Object.entries({
    ...builtins,
    ...stringFunctions,
    ...numberFunctions,
    ...listFunctions,
    ...dictFunctions,
    ...dataFunctions,
    ...regexpFunctions,
    ...dateFunctions,
    ...encodingFunctions,
    ...secretFunctions,
    ...refusedFunctions,
    ...versionFunctions,
    ...urlFunctions,
    ...argoFunctions,
  }),
);
