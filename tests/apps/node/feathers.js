// Feathers over Express, its schemas checked by its own hooks with Ajv.
import { NotFound } from '@feathersjs/errors'
import express, { errorHandler, json, notFound, rest, urlencoded } from '@feathersjs/express'
import { feathers } from '@feathersjs/feathers'
import { Ajv, getValidator, hooks } from '@feathersjs/schema'

const object = (properties) => ({ type: 'object', required: Object.keys(properties), properties })
const text = { type: 'string' }
const whole = { type: 'integer' }
const order = object({ name: text, items: { type: 'array', items: object({ sku: text, qty: whole }) } })

const strict = new Ajv()
const ofStrings = new Ajv({ coerceTypes: true })
const data = (ajv, schema) => ({ create: [hooks.validateData(getValidator(schema, ajv))] })

const app = express(feathers())
app.use(json({ limit: '64kb' }))
app.use(urlencoded({ extended: true, limit: '64kb' }))
app.configure(rest())

app.use('orders', {
  create: async (sent) => sent,
  find: async ({ query }) => query,
  async get(id) {
    if (Number.isInteger(Number(id))) return { id }
    throw new NotFound(`No record found for id '${id}'`)
  },
})
app.use('form', { create: async (sent) => sent })
app.use('boom', {
  async find() {
    throw new Error('s3cret, at /srv/app')
  },
})
app.service('orders').hooks({
  before: {
    ...data(strict, order),
    find: [hooks.validateQuery(getValidator(object({ page: whole }), ofStrings))],
  },
})
app.service('form').hooks({ before: data(ofStrings, object({ qty: whole })) })
app.use(notFound())
app.use(errorHandler({ logger: false }))

app.listen(Number(process.argv[2]), '127.0.0.1')
