// Express with express-openapi-validator, and its guide's own error handler.
import express from 'express'
import { middleware } from 'express-openapi-validator'

const app = express()
app.use(express.json({ limit: '64kb' }))
app.use(express.urlencoded({ extended: true, limit: '64kb' }))

const object = (properties) => ({ type: 'object', required: Object.keys(properties), properties })
const text = { type: 'string' }
const whole = { type: 'integer' }
const order = object({ name: text, items: { type: 'array', items: object({ sku: text, qty: whole }) } })
const sent = (type, schema) => ({ requestBody: { required: true, content: { [type]: { schema } } } })
const named = (name, place) => ({ parameters: [{ name, in: place, required: true, schema: whole }] })
const served = { responses: { 200: { description: 'What was sent.' } } }

const apiSpec = {
  openapi: '3.0.3',
  info: { title: 'Orders', version: '1' },
  paths: {
    '/orders': {
      post: { ...sent('application/json', order), ...served },
      get: { ...named('page', 'query'), ...served },
    },
    '/orders/{id}': { get: { ...named('id', 'path'), ...served } },
    '/form': { post: { ...sent('application/x-www-form-urlencoded', object({ qty: whole })), ...served } },
    '/boom': { get: served },
  },
}
// A form has texts alone.
app.use(middleware({ apiSpec, validateRequests: { coerceTypes: true } }))

app.post('/orders', (request, response) => response.json(request.body))
app.get('/orders', (request, response) => response.json(request.query))
app.get('/orders/:id', (request, response) => response.json(request.params))
app.post('/form', (request, response) => response.json(request.body))
app.get('/boom', () => {
  throw new Error('s3cret, at /srv/app')
})
app.use((error, request, response, next) => {
  response.status(error.status || 500).json({ message: error.message, errors: error.errors })
})

app.listen(Number(process.argv[2]), '127.0.0.1')
