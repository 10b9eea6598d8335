// English texts of fields by their names, where those do not say it.
export const en: Record<string, string> = {
  actorId: "Who", apiKeyId: "API key", args: "Arguments", buttonPermissions: "Buttons", checksumSha256: "SHA-256", clientErrors: "Refused", codes: "Permissions",
  contentType: "Type", createTime: "Created", current: "This one", email: "E-mail", expiresAt: "Ends", filename: "Name", interfacePermissions: "Permissions", isAdmin: "Administrator",
  isServiceAccount: "Service account", kwargs: "Named arguments", misfirePolicy: "If it was missed", mustChangePassword: "Must change the password",
  overlapPolicy: "While it still runs", p50Ms: "Median", p95Ms: "95 %", p99Ms: "99 %", pauseReason: "Why it is paused", previousExpiresAt: "The key before it ends",
  routerPermissions: "Pages", seenAt: "Last sign of life", stalePermissions: "The program no longer has", start: "Key", taskId: "Run", totalRunCount: "Runs so far",
  updateTime: "Changed", userAgent: "Browser",
};
