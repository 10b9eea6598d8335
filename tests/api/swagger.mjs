// Sends a request as the page of Swagger UI does: swagger.mjs URL METHOD PATH BODY TOKEN
const [base, method, path, body, token] = process.argv.slice(2);
const html = await (await fetch(`${base}/docs`)).text();
const [, script, name] = html.match(/<script>([^]*)const ui = SwaggerUIBundle\({requestInterceptor: (\w+),/);
const intercept = new Function(`${script}; return ${name};`)();
const request = await intercept({ url: base + path, body });
const headers = { Authorization: `Bearer ${token}`, "Content-Type": "application/json" };
const response = await fetch(base + path, { method, body: request.body, headers });
console.log(JSON.stringify({ sent: JSON.parse(request.body), status: response.status, ...(await response.json()) }));
