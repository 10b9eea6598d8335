// English texts are their own keys; zh.ts has the Chinese ones.
import { language } from "./preferences";
import { zh } from "./zh";

/** The text in the reader's language; `{name}` is replaced by `values.name`. */
export function t(text: string, values: Record<string, unknown> = {}): string {
  const translated = language.value === "zh" ? (zh[text] ?? text) : text;
  return translated.replace(/\{(\w+)\}/g, (_, name: string) => String(values[name] ?? ""));
}
