// How values are written.
import { ElMessage, ElMessageBox } from "element-plus";
import { t } from "./i18n";
import { language } from "./preferences";

export async function copy(text: string): Promise<void> {
  await navigator.clipboard.writeText(text);
  ElMessage.success(t("Copied."));
}

/** A secret, which no other response will have. */
export function showOnce(title: string, text: string): void {
  void ElMessageBox.alert(text, title, { customClass: "secret", confirmButtonText: t("Close") }).catch(() => undefined);
}

/** In the reader's time zone. */
export const localTime = (time: string) =>
  new Date(time).toLocaleString(language.value === "zh" ? "zh-CN" : "en-GB", { dateStyle: "short", timeStyle: "medium" });
export const utcTime = (time: string) => `${new Date(time).toISOString().replace("T", " ").slice(0, 19)} UTC`;

const UNITS = ["B", "KiB", "MiB", "GiB", "TiB"];

export function bytes(size: number): string {
  const power = Math.min(Math.floor(Math.log2(Math.max(size, 1)) / 10), UNITS.length - 1);
  return `${(size / 1024 ** power).toFixed(power ? 1 : 0)} ${UNITS[power]}`;
}

export function duration(from: string | null, to: string | null): string {
  if (!from) return "";
  const seconds = Math.max(0, (to ? Date.parse(to) : Date.now()) - Date.parse(from)) / 1000;
  if (seconds < 1) return `${Math.round(seconds * 1000)} ms`;
  return seconds < 120 ? `${seconds.toFixed(1)} s` : `${Math.round(seconds / 60)} min`;
}

/** A time as an input field of the type `datetime-local` takes it, and back. */
export function toInput(time: string | null | undefined): string {
  if (!time) return "";
  const date = new Date(time);
  return new Date(date.getTime() - date.getTimezoneOffset() * 60_000).toISOString().slice(0, 19);
}

export const fromInput = (text: string) => (text ? new Date(text).toISOString() : null);

export const isEmpty = (value: unknown) =>
  value === null || value === undefined || value === "" || (typeof value === "object" && Object.keys(value).length === 0);
