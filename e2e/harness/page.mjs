// A trivial server with one good page and several bad ones: what the harness must tell apart.

import { createServer } from 'node:http';

const [host, port] = process.argv[2].split(':');

const page = (body, style = '') => `<!doctype html><html lang="zh-CN"><head><meta charset="utf-8"><title>试</title>
<meta name="viewport" content="width=device-width, initial-scale=1"><style>
body { margin: 16px; font: 20px/1.5 sans-serif; color: #111; background: #fff }
button { min-height: 64px; min-width: 64px; font-size: 20px } ${style}</style></head><body><main><h1>钱包</h1>${body}</main></body></html>`;

const PAGES = {
  '/healthz': 'ok',
  '/good': page('<p>余额 <strong>¥1,234.56</strong>,<a href="/good">来自谁</a>。</p><button>付款码</button>'),
  '/pale': page('<p style="color:#bbb">看不清的字</p>'),
  '/small': page('<button style="min-width:0;min-height:0;width:30px;height:30px;font-size:12px">x</button>'),
  '/wide': page('<p style="width:900px">太宽的一段</p>'),
  '/tiny': page('<p style="font-size:13px">太小的字</p>'),
  '/elsewhere': page('<img alt="" src="http://127.0.0.2:9/away.png">'),
  '/broken': page('<p>字</p><script>throw new Error("坏了")</script>'),
  '/scripted': page('<p id="said">没有脚本</p><script>document.getElementById("said").textContent = "有脚本"</script>'),
};

createServer((request, response) => {
  const body = PAGES[new URL(request.url, 'http://here').pathname];
  response.writeHead(body === undefined ? 500 : 200, { 'content-type': 'text/html; charset=utf-8' }).end(body ?? page('<p>坏了</p>'));
}).listen(Number(port), host);
