// English texts are their own keys; zh.ts has the Chinese ones.
import { ref, watchEffect } from "vue";
import { zh } from "./zh";

export type Language = "en" | "zh";

const guess = navigator.language.startsWith("zh") ? "zh" : "en";
export const language = ref<Language>((localStorage.getItem("language") as Language | null) ?? guess);

watchEffect(() => {
  localStorage.setItem("language", language.value);
  document.documentElement.lang = language.value;
});

/** The text in the reader's language; `{name}` is replaced by `values.name`. */
export function t(text: string, values: Record<string, unknown> = {}): string {
  const translated = language.value === "zh" ? (zh[text] ?? text) : text;
  return translated.replace(/\{(\w+)\}/g, (_, name: string) => String(values[name] ?? ""));
}
