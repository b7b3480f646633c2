// @ts-check
// The pages, in the order of the menu. Each is loaded when it is first opened.

/** @typedef {{path: string, name: string, roles: string[] | null, load: () => Promise<import("preact").ComponentType>}} Page */

/** @type {Page[]} */
export const PAGES = [
  { path: "/", name: "Flow", roles: null, load: () => import("/assets/flow/page.js").then((found) => found.FlowPage) },
  { path: "/topics", name: "Topics", roles: null, load: () => import("/assets/topics/page.js").then((found) => found.TopicsPage) },
  { path: "/groups", name: "Groups", roles: null, load: () => import("/assets/groups/page.js").then((found) => found.GroupsPage) },
  { path: "/alerts", name: "Alerts", roles: null, load: () => import("/assets/alerts/page.js").then((found) => found.AlertsPage) },
  { path: "/orders", name: "Orders", roles: null, load: () => import("/assets/orders/page.js").then((found) => found.OrdersPage) },
  { path: "/ai", name: "AI", roles: null, load: () => import("/assets/ai/page.js").then((found) => found.AiPage) },
  { path: "/messages", name: "Messages", roles: null, load: () => import("/assets/messages/page.js").then((found) => found.MessagesPage) },
  { path: "/letters", name: "Letters", roles: ["operator"], load: () => import("/assets/letters/page.js").then((found) => found.LettersPage) },
  { path: "/transactions", name: "Transactions", roles: ["operator"], load: () => import("/assets/transactions/page.js").then((found) => found.TransactionsPage) },
  { path: "/balance", name: "Balance", roles: ["operator"], load: () => import("/assets/balance/page.js").then((found) => found.BalancePage) },
  { path: "/system", name: "System", roles: null, load: () => import("/assets/system/page.js").then((found) => found.SystemPage) },
  { path: "/trace", name: "Trace", roles: null, load: () => import("/assets/trace/page.js").then((found) => found.TracePage) },
  { path: "/usage", name: "Usage", roles: null, load: () => import("/assets/usage/page.js").then((found) => found.UsagePage) },
  { path: "/audit", name: "Audit", roles: ["operator", "owner", "auditor"], load: () => import("/assets/audit/page.js").then((found) => found.AuditPage) },
  { path: "/users", name: "Users", roles: ["operator", "owner"], load: () => import("/assets/users/page.js").then((found) => found.UsersPage) },
  { path: "/account", name: "Account", roles: null, load: () => import("/assets/account/page.js").then((found) => found.AccountPage) },
];

/** The pages that a role may open. @param {string | undefined} role */
export function pagesOf(role) {
  return PAGES.filter((page) => page.roles === null || page.roles.includes(role ?? ""));
}
