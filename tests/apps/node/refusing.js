// Refuses every upgrade and keeps the connection, from which Node reads no further request: node refusing.js PORT.
import { createServer } from 'node:http'

import { reached } from './upgrade-doors.js'

const server = createServer(({ method, url }, response) => response.end(reached(method, url)))
server.on('upgrade', (_, socket) => socket.write('HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n'))
server.listen(Number(process.argv[2]), '127.0.0.1')
