import type { components } from "./generated/rest.ts";

type ErrorResponse = components["schemas"]["ErrorResponse"];
type FieldError = components["schemas"]["FieldError"];

/** An error response. `error` is its stable name, such as `resource.not_found`. */
export class ApiError extends Error {
  readonly status: number;
  readonly error: string;
  readonly requestId: string;
  readonly data: unknown;

  constructor(status: number, body: Partial<ErrorResponse> | undefined) {
    super(body?.message ?? `The server responded with ${status}.`);
    this.status = status;
    this.error = body?.error ?? "unknown";
    this.requestId = body?.requestId ?? "";
    this.data = body?.data;
  }

  /** The message of each invalid field, if the input was invalid. */
  get fields(): Record<string, string> {
    if (this.error !== "request.validation") return {};
    return Object.fromEntries((this.data as FieldError[]).map(({ field, message }) => [field, message]));
  }
}

/** A result of openapi-fetch, which leaves out the type of `data` where that is null. */
interface Result<T> {
  data?: { code: number; data?: T } | undefined;
  error?: unknown;
  response: Response;
}

/** The `data` of a response; throws `ApiError` if it is an error. */
export function unwrap<T>({ data, error, response }: Result<T>): T {
  if (data === undefined) throw new ApiError(response.status, error as Partial<ErrorResponse> | undefined);
  return data.data as T;
}
