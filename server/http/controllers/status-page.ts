/** `GET /`: a plain page with name, version and the addresses that work. No script, nothing from elsewhere. */
import { networkInterfaces } from 'node:os';
import type { ListenerAddress, ListenerProtocol } from '../../base/listen-on-addresses.ts';
import { productName, productVersion } from '../../config/version.ts';
import { escapeHtml } from '../escape-html.ts';
import { reachableUrls } from '../reachable-addresses.ts';
import type { Controller } from './controller.ts';

const protocolNames: Readonly<Record<ListenerProtocol, string>> = {
  amqp: 'AMQP 0-9-1',
  amqps: 'AMQP 0-9-1 over TLS',
  http: 'HTTP',
};

/** The page that greets a browser. */
export const statusPageController: Controller = (app, { status }) => {
  app.get('/', (_request, reply) => {
    void reply
      .header('content-type', 'text/html; charset=utf-8')
      .header('content-security-policy', "default-src 'none'; style-src 'unsafe-inline'")
      .header('cache-control', 'no-store')
      .send(renderStatusPage(status.listeners()));
  });
};

function renderStatusPage(listeners: readonly ListenerAddress[]): string {
  const interfaces = networkInterfaces();
  const rows = listeners.flatMap((listener) =>
    reachableUrls(listener, interfaces).map((url) => renderRow(listener.protocol, url)),
  );
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${productName} ${escapeHtml(productVersion)}</title>
<style>
:root { color-scheme: light dark; }
body { font: 1rem/1.5 system-ui, sans-serif; max-width: 40rem; margin: 3rem auto; padding: 0 1rem; }
td, th { padding: 0.2rem 1.5rem 0.2rem 0; text-align: left; }
</style>
</head>
<body>
<h1>${productName} ${escapeHtml(productVersion)}</h1>
<p>The message broker is running and can be reached here:</p>
<table>
<tr><th>Protocol</th><th>Address</th></tr>
${rows.join('\n')}
</table>
</body>
</html>
`;
}

function renderRow(protocol: ListenerProtocol, url: string): string {
  const text = escapeHtml(url);
  const address = protocol === 'http' ? `<a href="${text}">${text}</a>` : `<code>${text}</code>`;
  return `<tr><td>${protocolNames[protocol]}</td><td>${address}</td></tr>`;
}
