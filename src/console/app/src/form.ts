/** A field of a form. `when` shows it only beside certain values of others. */
export interface Field {
  key: string;
  /** If it is not called as everywhere. */
  label?: string;
  type?: "text" | "password" | "email" | "number" | "textarea" | "switch" | "select" | "multi" | "json" | "datetime";
  options?: readonly string[];
  required?: boolean;
  initial?: unknown;
  hint?: string;
  when?: (values: Record<string, any>) => boolean;
}
