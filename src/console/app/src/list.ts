import type { Kind } from "./components/CellValue.vue";

/** A column of a list, or a field of a record. */
export interface Column<T> {
  key: string;
  label: string;
  kind?: Kind;
  /** If it is not the record's property of that name. */
  value?: (record: T) => unknown;
}

export const read = <T>(record: T, column: Column<T>) => (column.value ? column.value(record) : (record as Record<string, unknown>)[column.key]);

/** A filter; its value is in the address of the page. `options` make it a choice. */
export interface Filter {
  key: string;
  label: string;
  options?: readonly string[];
  type?: "text" | "datetime-local";
}

export type Query = Record<string, string>;

/** An answer with one page of a list: numbered, or with the cursor of the next. */
export interface Answer<T> {
  records: T[];
  total?: number | null;
  page?: number;
  nextCursor?: string | null;
}
