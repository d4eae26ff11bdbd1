// The admin API, typed by its own document (schema.ts is made by `npm run types`).
import type { components, paths } from "./schema";

export type Schemas = components["schemas"];
type Method = "get" | "post" | "put" | "patch" | "delete";
type With<M extends Method> = {
  [P in keyof paths]: paths[P] extends Record<M, { responses: unknown }> ? P : never;
}[keyof paths];
type Answer<P extends keyof paths, M extends Method> = paths[P] extends Record<
  M,
  { responses: { 200: { content: { "application/json": infer T } } } }
>
  ? T
  : never;
type Body<P extends keyof paths, M extends Method> = paths[P] extends Record<
  M,
  { requestBody: { content: { "application/json": infer T } } }
>
  ? T
  : undefined;
type QueryOf<P extends keyof paths> = paths[P] extends { get: { parameters: { query?: infer Q } } } ? Q : never;

/** What the API answered when it did not answer as asked. */
export class ApiProblem extends Error {
  constructor(
    readonly status: number,
    detail: string,
    readonly diagnostics: Schemas["Diagnostic"][] = [],
  ) {
    super(detail);
  }
}

const TOKEN = "portreeve.token";
// Kept for the tab alone: closing it forgets the token.
export const token = {
  read: () => sessionStorage.getItem(TOKEN) ?? "",
  write: (value: string) => (value ? sessionStorage.setItem(TOKEN, value) : sessionStorage.removeItem(TOKEN)),
};

/** The address of a resource, its parameters encoded. */
export function address(path: string, parts: Record<string, string> = {}, query: object = {}): string {
  const filled = path.replace(/\{(\w+)\}/g, (_, name: string) => encodeURIComponent(parts[name] ?? ""));
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    if (value !== undefined && value !== null && value !== "") search.set(name, String(value));
  }
  const text = search.toString();
  return text ? `${filled}?${text}` : filled;
}

async function call(method: string, url: string, body?: unknown, signal?: AbortSignal): Promise<Response> {
  const headers: Record<string, string> = { accept: "application/json" };
  if (token.read()) headers.authorization = `Bearer ${token.read()}`;
  if (method !== "GET") headers["x-portreeve"] = "1";
  if (body !== undefined) headers["content-type"] = "application/json";
  let response: Response;
  try {
    response = await fetch(url, { method, headers, body: body === undefined ? undefined : JSON.stringify(body), signal });
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new ApiProblem(0, "The gateway does not answer. It may be restarting.");
  }
  if (response.ok) return response;
  const problem = await response.json().catch(() => ({}));
  throw new ApiProblem(response.status, problem.detail ?? `The answer was ${response.status}.`, problem.diagnostics ?? []);
}

export async function read<P extends With<"get">>(
  path: P,
  options: { parts?: Record<string, string>; query?: QueryOf<P>; signal?: AbortSignal } = {},
): Promise<Answer<P, "get">> {
  const response = await call("GET", address(path, options.parts, options.query ?? {}), undefined, options.signal);
  return (await response.json()) as Answer<P, "get">;
}

export async function change<M extends Exclude<Method, "get">, P extends With<M>>(
  method: M,
  path: P,
  body: Body<P, M>,
  parts: Record<string, string> = {},
): Promise<Answer<P, M>> {
  const response = await call(method.toUpperCase(), address(path, parts), body);
  return (await response.json()) as Answer<P, M>;
}

/** A resource as a file, with the token that links cannot carry. */
export async function download(url: string, name: string): Promise<void> {
  const response = await call("GET", url);
  const link = document.createElement("a");
  link.href = URL.createObjectURL(await response.blob());
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}
