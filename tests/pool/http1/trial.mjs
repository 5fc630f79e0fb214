// Node's own HTTP/1 services behind a gateway with its default settings: node trial.mjs GATEWAY_COMMAND
//
// No client can take the connections to a service from others (F7), by staying idle or by an upgrade that is refused.
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import http from 'node:http'
import net from 'node:net'
import { createInterface } from 'node:readline'

const [command] = process.argv.slice(2)
// More than 1,024, the default of --upstream-connections.
const IDLE_CLIENTS = 1100
const REQUESTS = 10
const TIMEOUT = 5000

/** A gateway before `service`, for as long as `trial` takes. */
async function before(service, trial) {
  const sockets = new Set()
  service.on('connection', (socket) => sockets.add(socket.on('error', () => {})))
  service.listen(0, '127.0.0.1')
  await once(service, 'listening')
  const upstream = `http://127.0.0.1:${service.address().port}`
  const gateway = spawn(command, ['gateway', '--listen', '127.0.0.1:0', '--upstream', upstream], {
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  try {
    const [line] = await once(createInterface(gateway.stdout), 'line')
    await trial(Number(line.split(':').pop()))
  } finally {
    gateway.kill('SIGKILL')
    sockets.forEach((socket) => socket.destroy())
    service.close()
  }
}

/** Sends a request over a new connection. Returns the connection and the first bytes of the response. */
async function sent(port, headers) {
  const socket = net.connect({ port, host: '127.0.0.1' }).on('error', () => {})
  socket.write(`GET / HTTP/1.1\r\nhost: a\r\n${headers}\r\n`)
  const timer = setTimeout(() => socket.destroy(), TIMEOUT)
  const [bytes = ''] = await Promise.race([once(socket, 'data'), once(socket, 'close').then(() => [])])
  clearTimeout(timer)
  return { socket, status: String(bytes).split(' ')[1] ?? 'no response' }
}

/** The statuses of ordinary requests, one after the other, and how long the slowest of them took. */
async function ordinary(port, count) {
  const statuses = []
  let slowest = 0
  for (let request = 0; request < count; request += 1) {
    const began = performance.now()
    const { socket, status } = await sent(port, 'connection: close\r\n')
    slowest = Math.max(slowest, performance.now() - began)
    statuses.push(status)
    socket.destroy()
  }
  return { statuses, slowest: Math.round(slowest) }
}

const served = Array(REQUESTS).fill('200')

const answering = http.createServer((_, response) => response.end('ok'))
answering.keepAliveTimeout = 0
await before(answering, async (port) => {
  const clients = []
  while (clients.length < IDLE_CLIENTS) {
    const next = Array.from({ length: 50 }, () => sent(port, 'authorization: NTLM x\r\n'))
    clients.push(...(await Promise.all(next)))
  }
  const logins = clients.filter(({ status }) => status === '200').length
  const { statuses, slowest } = await ordinary(port, REQUESTS)
  console.log(`${logins} of ${IDLE_CLIENTS} clients served; then of ${REQUESTS} ordinary requests: ${statuses}, the slowest in ${slowest} ms`)
  clients.forEach(({ socket }) => socket.destroy())
  assert.deepEqual([logins, statuses], [IDLE_CLIENTS, served])
  assert.ok(slowest < 500, `${slowest} ms`)
})
console.log('ok idle clients with NTLM hold no place of a service')

const refusing = http.createServer((_, response) => response.end('ok'))
refusing.keepAliveTimeout = 0
// After this event Node no longer reads requests from the socket. This listener refuses, and keeps the socket.
refusing.on('upgrade', (_, socket) => socket.write('HTTP/1.1 403 Forbidden\r\ncontent-length: 2\r\n\r\nno'))
await before(refusing, async (port) => {
  const statuses = []
  for (let round = 0; round < REQUESTS; round += 1) {
    const upgrade = await sent(port, 'connection: upgrade\r\nupgrade: websocket\r\n')
    assert.equal(upgrade.status, '403')
    statuses.push(...(await ordinary(port, 1)).statuses)
    upgrade.socket.destroy()
  }
  console.log(`the requests after ${REQUESTS} refused upgrades: ${statuses}`)
  assert.deepEqual(statuses, served)
})
console.log('ok a refused upgrade leaves no connection that does not answer')
