// 签名、发出、核对回答的签名,只用 Node 18 以上自带的东西。规则见 docs/institutions/signing.md。
//
// 用法: node signed_call.mjs 私钥.pem 平台公钥.pem 方法 网址 [JSON 内容] [Idempotency-Key]
//
// 只做方案 A(Ed25519):Node 自带的 SM2 不带用户标识,签出来的对不上。

import { createHash, createPrivateKey, createPublicKey, randomBytes, sign, verify } from 'node:crypto'
import { readFileSync } from 'node:fs'

const digestOf = (bytes) => createHash('sha256').update(bytes).digest()
const contentDigest = (body) => `sha-256=:${digestOf(body).toString('base64')}:`
const keyIdOf = (publicKey) => digestOf(publicKey.export({ type: 'spki', format: 'der' })).toString('hex').slice(0, 32)

/** 要加在请求上的头。 */
export function signRequest(privateKey, method, url, body, idempotencyKey, created = Math.floor(Date.now() / 1000), nonce = randomBytes(18).toString('base64url')) {
  // URL 已经把主机名变成小写,也去掉了默认端口。
  const { host, pathname, search } = new URL(url)
  const lines = [['@method', method], ['@authority', host], ['@path', pathname], ['@query', search || '?']]
  const headers = {}
  if (body.length > 0) {
    headers['content-type'] = 'application/json'
    headers['content-digest'] = contentDigest(body)
    lines.push(['content-digest', headers['content-digest']])
  }
  if (idempotencyKey) {
    headers['idempotency-key'] = idempotencyKey
    lines.push(['idempotency-key', idempotencyKey])
  }
  const names = lines.map(([name]) => `"${name}"`).join(' ')
  const params = `(${names});created=${created};nonce="${nonce}";keyid="${keyIdOf(createPublicKey(privateKey))}"`
  const base = lines.map(([name, value]) => `"${name}": ${value}\n`).join('') + `"@signature-params": ${params}`
  headers['signature-input'] = `sig1=${params}`
  headers['signature'] = `sig1=:${sign(null, Buffer.from(base), privateKey).toString('base64')}:`
  return headers
}

/** 回答是不是平台签的、是不是答这一个请求的;不是就抛出原因。 */
export function checkAnswer(platformKey, status, headers, body, requestSignature) {
  const [digest, given, signature] = ['content-digest', 'signature-input', 'signature'].map((name) => headers.get(name))
  if (!digest || !given || !signature) throw new Error('回答没有平台签名,不能当作结果')
  if (digest !== contentDigest(body)) throw new Error('回答的内容和摘要对不上')
  const begins = 'sig1=("@status" "content-digest" "signature";req);created='
  if (!given.startsWith(begins) || !given.endsWith(`;keyid="${keyIdOf(platformKey)}"`)) throw new Error('回答不是用这把平台密钥、按约定的写法签的')
  const base = `"@status": ${status}\n"content-digest": ${digest}\n"signature";req: ${requestSignature}\n"@signature-params": ${given.slice('sig1='.length)}`
  if (!verify(null, Buffer.from(base), platformKey, Buffer.from(signature.slice('sig1=:'.length, -1), 'base64'))) throw new Error('回答的签名核对不上,不能当作结果')
}

async function main(privatePath, platformPath, method, url, text = '', idempotencyKey = '') {
  const privateKey = createPrivateKey(readFileSync(privatePath))
  const platformKey = createPublicKey(readFileSync(platformPath))
  if (privateKey.asymmetricKeyType !== 'ed25519' || platformKey.asymmetricKeyType !== 'ed25519') throw new Error('这个例子只做 Ed25519')
  const body = Buffer.from(text)
  const headers = signRequest(privateKey, method, url, body, idempotencyKey)
  const answer = await fetch(url, { method, headers, body: body.length > 0 ? body : undefined, redirect: 'manual' })
  const content = Buffer.from(await answer.arrayBuffer())
  console.log(answer.status)
  console.log(content.toString())
  checkAnswer(platformKey, answer.status, answer.headers, content, headers['signature'])
  console.log('回答的签名核对无误')
}

if (process.argv.length < 6) {
  console.error('用法: node signed_call.mjs 私钥.pem 平台公钥.pem 方法 网址 [JSON 内容] [Idempotency-Key]')
  process.exitCode = 1
} else {
  main(...process.argv.slice(2)).catch((why) => {
    console.error(why.message)
    process.exitCode = 1
  })
}
