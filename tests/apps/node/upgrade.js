// The doors of `doors.js` on Node alone, which answers an upgrade with 101 whatever the method is: node upgrade.js PORT.
import { createServer } from 'node:http'

import { reached } from './upgrade-doors.js'

const server = createServer(({ method, url }, response) =>
  response.setHeader('content-type', 'text/plain').end(reached(method, url)),
)
server.on('upgrade', ({ method, url }, socket) => {
  const door = `x-door: ${reached(method, url)}`
  const head = ['HTTP/1.1 101 Switching Protocols', 'connection: upgrade', 'upgrade: websocket', door]
  socket.end([...head, '', ''].join('\r\n'))
})
server.listen(Number(process.argv[2]), '127.0.0.1')
