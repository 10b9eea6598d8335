import type { paths } from "./generated/rest.ts";

type Get<T, Key> = Key extends keyof T ? T[Key] : never;
type Methods<Item> = keyof { [M in keyof Item & string as Item[M] extends { responses: unknown } ? Uppercase<M> : never]: M };

/** A route, named as its permission code: `PUT:/api/v1/roles/{roleId}`. Some exist only where settings switch them on. */
export type Route = { [Path in keyof paths & string]: `${Methods<paths[Path]> & string}:${Path}` }[keyof paths & string];

type Operation<R> = R extends `${infer Method}:${infer Path}` ? Get<Get<paths, Path>, Lowercase<Method>> : never;
type DataOf<Answer> = Answer extends { content: { "application/json": { data: infer Data } } } ? Data : never;
type Success<Responses> = DataOf<Get<Responses, 200>> | DataOf<Get<Responses, 201>> | DataOf<Get<Responses, 202>>;

/** The data that a route responds with. */
export type Data<R extends Route> = Success<Get<Operation<R>, "responses">>;

export interface RouteRequest {
  /** The parameters of the path, in their order. */
  at?: string | readonly string[] | undefined;
  query?: object | undefined;
  body?: unknown;
  /** The version that an update replaces, as `ETag` had it. */
  etag?: string | null | undefined;
}

/** Method, path and options of a request, as openapi-fetch takes them. */
export function toRequest(route: Route, { at = [], query, body, etag }: RouteRequest): [never, never, never] {
  const [method = "", path = ""] = route.split(/:(.*)/, 2);
  const values = [at].flat();
  const named = [...path.matchAll(/\{(\w+)\}/g)].map(([, name], index) => [name, values[index]]);
  const params = { path: Object.fromEntries(named), query, header: { "if-match": etag ?? null } };
  return [method.toLowerCase() as never, path as never, { params, body } as never];
}
