// Fastify with its JSON schemas, which Ajv checks.
import formbody from '@fastify/formbody'
import Fastify from 'fastify'

const app = Fastify({ bodyLimit: 64 * 1024 })
app.register(formbody)

const object = (properties) => ({ type: 'object', required: Object.keys(properties), properties })
const text = { type: 'string' }
const whole = { type: 'integer' }
const order = object({ name: text, items: { type: 'array', items: object({ sku: text, qty: whole }) } })

app.post('/orders', { schema: { body: order } }, async (request) => request.body)
app.get('/orders', { schema: { querystring: object({ page: whole }) } }, async (request) => request.query)
app.get('/orders/:id', { schema: { params: object({ id: whole }) } }, async (request) => request.params)
app.post('/form', { schema: { body: object({ qty: whole }) } }, async (request) => request.body)
app.get('/boom', async () => {
  throw new Error('s3cret, at /srv/app')
})

await app.listen({ host: '127.0.0.1', port: Number(process.argv[2]) })
