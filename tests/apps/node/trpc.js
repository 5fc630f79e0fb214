// tRPC with batches beside the doors of `doors.js`: node trpc.js PORT.
import { createServer } from 'node:http'
import { initTRPC } from '@trpc/server'
import { createHTTPHandler } from '@trpc/server/adapters/standalone'

import { reached } from './upgrade-doors.js'

const t = initTRPC.create()
const router = t.router({
  hello: t.procedure.query(() => 'PUBLIC-REACHED'),
  admin: t.router({
    drop: t.procedure.query(() => 'CLOSED-REACHED'),
    purge: t.procedure.mutation(() => 'CLOSED-REACHED'),
  }),
})
const procedures = createHTTPHandler({ router, basePath: '/trpc/' })

createServer((request, response) =>
  request.url.startsWith('/trpc/')
    ? procedures(request, response)
    : response.setHeader('content-type', 'text/plain').end(reached(request.method, request.url)),
).listen(Number(process.argv[2]), '127.0.0.1')
