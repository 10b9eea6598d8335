// Loading, with its states: loading, failed, loaded; it tries again when the server can be reached again.
import { computed, onMounted, ref, shallowRef, watch } from "vue";
import { call, can, type Data, me, type Route } from "./api";
import type { Field } from "./list";

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

/** A list that a page offers as choices; empty for users who may not load it, and without a route. */
export function useOptional<R extends Route>(route: R | false) {
  const { data } = useLoad(async () => (route && can(route) ? await call(route) : undefined));
  return computed(() => data.value ?? ([] as unknown as Data<R>));
}

/** The field of a form that chooses roles. */
export function useRoles() {
  const roles = useOptional("GET:/api/v1/roles/all");
  return computed((): Field => ({ key: "roles", type: "multi", options: roles.value.map(({ code }) => code), initial: [] }));
}
