import type { Application, AppProject, Document } from "../documents/model.ts";
import { admit } from "./admit.ts";
import { permitsObject } from "./permits.ts";

/** Where Argo CD itself runs, as destinations call it: documents go there. */
const home = { name: "in-cluster", server: "https://kubernetes.default.svc", namespace: "argocd" };

/** What keeps an application that makes documents (app-of-apps) within its project: source, place, and its own namespace. */
export function admitLocal(project: AppProject, application: Application) {
  const { name, server } = home;
  const sourceNamespace = application.metadata.namespace;
  return admit(project, {
    spec: application.spec,
    destination: { name, server },
    sourceNamespace,
    homeNamespace: home.namespace,
  });
}

/** Whether the project lets its application make this document: its kind, and the namespace that it would stand in. */
export function permitsDocument(project: AppProject, application: Application, document: Document): boolean {
  const { kind, metadata, apiVersion } = document;
  const group = apiVersion.includes("/") ? (apiVersion.split("/")[0] ?? "") : "";
  const ref = { group, kind, namespace: metadata.namespace, name: metadata.name };
  if (!permitsObject(project.spec, ref, kind !== "Cluster")) return false;
  const destination = { ...application.spec.destination, namespace: metadata.namespace || home.namespace };
  return admitLocal(project, { ...application, spec: { ...application.spec, destination } }).length === 0;
}
