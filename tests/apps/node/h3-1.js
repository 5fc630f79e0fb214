// h3 1, which Nuxt 3 and 4 have, with Zod by its own validating readers.
import { createServer } from 'node:http'
import {
  createApp,
  createRouter,
  defineEventHandler,
  getValidatedQuery,
  getValidatedRouterParams,
  readValidatedBody,
  toNodeListener,
} from 'h3-1'
import { z } from 'zod'

const order = z.object({
  name: z.string(),
  items: z.array(z.object({ sku: z.string(), qty: z.int() })),
})
const number = z.coerce.number().int()

const router = createRouter()
  .post('/orders', defineEventHandler((event) => readValidatedBody(event, order.parse)))
  .get('/orders', defineEventHandler((event) => getValidatedQuery(event, z.object({ page: number }).parse)))
  .get('/orders/:id', defineEventHandler((event) => getValidatedRouterParams(event, z.object({ id: number }).parse)))
  .post('/form', defineEventHandler((event) => readValidatedBody(event, z.object({ qty: number }).parse)))
  .get('/boom', defineEventHandler(() => {
    throw new Error('s3cret, at /srv/app')
  }))

createServer(toNodeListener(createApp().use(router))).listen(Number(process.argv[2]), '127.0.0.1')
