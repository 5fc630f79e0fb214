// Node's own http2 services behind a gateway, and its clients before it: node trial.mjs GATEWAY_COMMAND
//
// A request that fails ends alone (F7), a body that is cut is no whole one (F4), and a connection that will close says so.
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import http from 'node:http'
import http2 from 'node:http2'
import { createInterface } from 'node:readline'

const [command] = process.argv.slice(2)

/** A service, and a gateway before it, for as long as `trial` takes. */
async function before(answer, trial, { settings = {}, flags = [] } = {}) {
  const service = http2.createServer({ settings })
  const sessions = new Set()
  service.on('session', (session) => sessions.add(session.on('error', () => {})))
  service.on('stream', (stream, head) => answer(stream.on('error', () => {}), head[':path'], stream.session))
  service.listen(0, '127.0.0.1')
  await once(service, 'listening')
  const upstream = `http://127.0.0.1:${service.address().port}`
  const gateway = spawn(command, ['gateway', '--listen', '127.0.0.1:0', '--upstream', upstream, '--upstream-h2', ...flags], {
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  try {
    const [line] = await once(createInterface(gateway.stdout), 'line')
    await trial(Number(line.split(':').pop()), sessions)
  } finally {
    gateway.kill('SIGKILL')
    sessions.forEach((session) => session.destroy())
    service.close()
  }
}

/** A response over HTTP/1.1: status, headers, text, and whether it is whole. */
async function asked(port, path, { agent, body, method = body ? 'POST' : 'GET' } = {}) {
  const request = http.request({ port, host: '127.0.0.1', path, method, agent, maxHeaderSize: 1 << 18 })
  request.on('error', () => {})
  request.end(body)
  const [response] = await once(request, 'response')
  let text = ''
  response.on('data', (piece) => (text += piece)).on('error', () => {})
  await new Promise((resolve) => response.on('close', resolve))
  return { status: response.statusCode, headers: response.headers, text, isWhole: response.complete }
}

await before(
  (stream, path) => {
    stream.respond({ ':status': 200 })
    stream.write('half')
    // Node sends RST_STREAM with NO_ERROR for it.
    if (path === '/cut') setTimeout(() => stream.destroy(), 20)
    else stream.end(' and half')
  },
  async (port) => {
    for (let time = 0; time < 20; time += 1) {
      const [cut, whole] = await Promise.all([asked(port, '/cut'), asked(port, '/whole')])
      assert.deepEqual([cut.text, cut.isWhole], ['half', false])
      assert.deepEqual([whole.text, whole.isWhole], ['half and half', true])
    }
  },
)
console.log('ok a body that is reset with NO_ERROR is cut, and the one beside it is whole')

await before(
  (stream, path) => {
    const size = Number(path.slice(1))
    setTimeout(() => stream.respond({ ':status': 302, location: `/?${'a'.repeat(size)}` }, { endStream: true }), size ? 0 : 50)
  },
  async (port) => {
    for (let size = 1000; size <= 128_000; size *= 2) {
      const [other, redirect] = await Promise.all([asked(port, '/0'), asked(port, `/${size}`)])
      assert.equal(other.status, 302)
      // Node's own bound of what it sends is 64 KiB: it resets such a stream.
      assert.equal(redirect.status, size < 65_536 ? 302 : 502, `${size}`)
    }
  },
)
console.log('ok a redirect of any size ends no other request')

let open = 0
let most = 0
await before(
  (stream, path, session) => {
    open += 1
    most = Math.max(most, open)
    if (path === '/first') session.settings({ maxConcurrentStreams: 100 })
    setTimeout(() => {
      open -= 1
      stream.respond({ ':status': 200 })
      stream.end('ok')
    }, 200)
  },
  async (port) => {
    await asked(port, '/first')
    const answers = await Promise.all(Array.from({ length: 12 }, () => asked(port, '/')))
    assert.ok(answers.every(({ status }) => status === 200))
    assert.equal(most, 12)
  },
  { settings: { maxConcurrentStreams: 1 }, flags: ['--upstream-connections', '1'] },
)
console.log('ok a bound of streams that is raised is followed')

await before(
  (stream) => {
    // The answer comes before the body is read.
    stream.respond({ ':status': 401 })
    stream.end('{"code":"unauthenticated"}')
    stream.close(http2.constants.NGHTTP2_NO_ERROR)
  },
  async (port) => {
    const agent = new http.Agent({ keepAlive: true, maxSockets: 1 })
    for (let time = 0; time < 40; time += 1) {
      // The next request takes the same connection, if that was not announced to close: then it is there.
      const { status } = await asked(port, '/', { agent, body: Buffer.alloc(time % 2 ? 60_000 : 1_000_000) })
      assert.equal(status, 401)
    }
    agent.destroy()
  },
)
console.log('ok after an early answer the next request of the same client finds a connection')
