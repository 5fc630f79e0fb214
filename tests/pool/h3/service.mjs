// An h3 service that takes small bodies alone: it refuses a larger one by its length, and never reads it.
import { createServer } from 'node:http'
import { createApp, createRouter, defineEventHandler, getRequestHeader, readRawBody, setResponseStatus, toNodeListener } from 'h3'

const LIMIT = 1024

const router = createRouter()
router.get('/**', defineEventHandler(() => ({ ok: true })))
router.post('/**', defineEventHandler(async (event) => {
  if (Number(getRequestHeader(event, 'content-length')) > LIMIT) {
    setResponseStatus(event, 413)
    return { error: 'too large' }
  }
  const body = await readRawBody(event)
  return { bytes: body?.length ?? 0 }
}))
const app = createApp()
app.use(router)
const server = createServer(toNodeListener(app))
server.listen(0, '127.0.0.1', () => console.log(server.address().port))
