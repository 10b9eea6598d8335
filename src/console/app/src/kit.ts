// What pages are made of, for one import.
export * from "./api";
export { default as ActButton } from "./components/ActButton.vue";
export { default as CellValue } from "./components/CellValue.vue";
export { default as FieldList } from "./components/FieldList.vue";
export { default as FormDialog } from "./components/FormDialog.vue";
export { default as ItemList } from "./components/ItemList.vue";
export { default as ListPage } from "./components/ListPage.vue";
export { default as PageView } from "./components/PageView.vue";
export { default as SimpleTable } from "./components/SimpleTable.vue";
export { default as StateView } from "./components/StateView.vue";
export { localTime, showOnce } from "./format";
export { t } from "./i18n";
export type { Columns, Field } from "./list";
export { type Handlers, useLive } from "./live";
export { useLoad, useOptional, useRoles } from "./load";
