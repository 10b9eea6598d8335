// Light or dark, as the reader last chose, else as their system.
import { ref, watchEffect } from "vue";

const system = matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
export const theme = ref(localStorage.getItem("theme") ?? system);

watchEffect(() => {
  localStorage.setItem("theme", theme.value);
  document.documentElement.classList.toggle("dark", theme.value === "dark");
});
