// What the reader has chosen, kept in the browser: the language and the theme, at first those of their system.
import { ref, watchEffect } from "vue";

function kept<T extends string>(name: string, initial: T) {
  const value = ref(localStorage.getItem(name) ?? initial);
  watchEffect(() => localStorage.setItem(name, value.value));
  return value;
}

export const language = kept("language", navigator.language.startsWith("zh") ? "zh" : "en");
export const theme = kept("theme", matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light");

watchEffect(() => {
  document.documentElement.lang = language.value;
  document.documentElement.classList.toggle("dark", theme.value === "dark");
});
