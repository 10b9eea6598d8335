// Lists, records and forms: their fields, and what answers with one page of a list.
import type { InjectionKey } from "vue";
import type { Kind } from "./components/CellValue.vue";
import { en } from "./en";

/** A column of a list, or a field of a record. */
export interface Column<T> {
  key: string;
  label?: string;
  kind?: Kind;
  /** If it is not the record's property of that name. */
  value?: (record: T) => unknown;
}

/** The name of a property is enough, if it is called and written as everywhere. */
export type Columns<T> = readonly (Column<T> | (keyof T & string))[];

/** How properties are written, if not by their value: those whose name ends so. */
const KINDS: [RegExp, Kind][] = [
  [/^id$|(Id|By|Of)$/, "id"], [/Bytes$/, "bytes"], [/Ms$/, "ms"], [/^traceback$/, "json"], [/^(body|text)$/, "text"], [/^(action|checksumSha256|code|event|process|route|start|task)$/, "code"],
];

/** `queuedAt` is called "Queued", `ownerId` "Owner", `retryOf` "Retry of". */
export function labelOf({ key, label }: { key: string; label?: string }): string {
  const words = key.replace(/(?<=.)(At|Time|Id|Bytes|Ms)$/, "").replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);
  return label ?? en[key] ?? words.charAt(0).toUpperCase() + words.slice(1);
}

/** The columns with their labels and kinds. */
export function inFull<T>(columns: Columns<T>): (Column<T> & { label: string })[] {
  return columns.map((one) => {
    const column: Column<T> = typeof one === "string" ? { key: one } : one;
    const kind = KINDS.find(([ending]) => ending.test(column.key))?.[1];
    return { ...(kind && { kind }), ...column, label: labelOf(column) };
  });
}

/** All that a record has. */
export const fieldsOf = <T extends object>(record: T, without: readonly string[] = []) =>
  Object.keys(record).filter((key) => key !== "etag" && !without.includes(key)) as (keyof T & string)[];

export const read = <T>(record: T, column: Column<T>) => (column.value ? column.value(record) : (record as Record<string, unknown>)[column.key]);

/** A field of a form. `when` shows it only beside certain values of others. */
export interface Field {
  key: string;
  /** If it is not called as everywhere. */
  label?: string;
  type?: "text" | "password" | "email" | "number" | "textarea" | "switch" | "select" | "multi" | "json" | "date" | "datetime";
  options?: readonly string[];
  required?: boolean;
  initial?: unknown;
  hint?: string;
  when?: (values: Record<string, any>) => boolean;
}

export type Query = Record<string, string>;

/** An answer with one page of a list: numbered, or with the cursor of the next. */
export interface Answer<T> {
  records: T[];
  total?: number | null;
  page?: number;
  nextCursor?: string | null;
  /** How many processes did not answer, where several are asked. */
  missing?: number;
}

/** The list around a button or a form, which may change it: `leave` closes the record that is shown. */
export const LIST: InjectionKey<{ reload(): unknown; leave(): unknown }> = Symbol("list");
