// Loading, with its states: loading, failed, loaded; it tries again when the server can be reached again.
import { onMounted, ref, shallowRef, watch } from "vue";
import { me } from "./api";

export function useLoad<T>(load: () => Promise<T>) {
  const data = shallowRef<T>();
  const error = shallowRef<unknown>();
  const loading = ref(false);
  let latest = 0;

  async function reload(): Promise<void> {
    const number = ++latest;
    loading.value = true;
    try {
      const loaded = await load();
      if (number === latest) [data.value, error.value] = [loaded, undefined];
    } catch (problem) {
      if (number === latest) error.value = problem;
    } finally {
      if (number === latest) loading.value = false;
    }
  }

  onMounted(reload);
  watch(() => me.offline, (offline) => offline || void reload());
  return { data, error, loading, reload };
}
