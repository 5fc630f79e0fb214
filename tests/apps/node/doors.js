// One API of three frameworks, with a closed and an open part: node doors.js FRAMEWORK PORT. `driver/doors.py` asks it.
import { node } from '@elysiajs/node'
import { serve } from '@hono/node-server'
import { Elysia } from 'elysia'
import express from 'express'
import Fastify from 'fastify'
import { Hono } from 'hono'
import { methodOverride } from 'hono/method-override'
import overridden from 'method-override'

const OVERRIDES = ['x-http-method-override', 'x-http-method', 'x-method-override']
const [framework, port] = [process.argv[2], Number(process.argv[3])]
const text = (door, method, path) => `${door}-REACHED ${method} ${path}`

const apps = {
  express(options) {
    const app = express()
    for (const getter of [...OVERRIDES, '_method']) app.use(overridden(getter, options))
    const door = (name) => (request, response) => response.type('text').send(text(name, request.method, request.path))
    app.all('/admin{/*rest}', door('CLOSED'))
    app.post('/orders', door('CLOSED'))
    app.delete('/items/:id', door('CLOSED'))
    app.link('/items/:id', door('CLOSED'))
    app.all('/public{/*rest}', door('PUBLIC'))
    app.all('/{*rest}', door('OPEN'))
    app.listen(port, '127.0.0.1')
  },
  // A method is replaced whatever it is, and not only POST.
  'express-any': () => apps.express({ methods: null }),
  async fastify() {
    const app = Fastify()
    const door = (name) => async (request) => text(name, request.method, request.url)
    for (const path of ['/admin', '/admin/*']) app.all(path, door('CLOSED'))
    app.post('/orders', door('CLOSED'))
    app.delete('/items/:id', door('CLOSED'))
    app.all('/public/*', door('PUBLIC'))
    app.all('/*', door('OPEN'))
    await app.listen({ host: '127.0.0.1', port })
  },
  hono() {
    const app = new Hono()
    for (const header of OVERRIDES) app.use(methodOverride({ app, header }))
    app.use(methodOverride({ app, query: '_method' }))
    const door = (name) => (c) => c.text(text(name, c.req.method, c.req.path))
    app.all('/admin/*', door('CLOSED'))
    app.post('/orders', door('CLOSED'))
    app.delete('/items/:id', door('CLOSED'))
    app.all('/public/*', door('PUBLIC'))
    app.all('/*', door('OPEN'))
    serve({ fetch: app.fetch, hostname: '127.0.0.1', port })
  },
  elysia() {
    const door = (name) => ({ request, path }) => text(name, request.method, path)
    new Elysia({ adapter: node() })
      .all('/admin', door('CLOSED'))
      .all('/admin/*', door('CLOSED'))
      .post('/orders', door('CLOSED'))
      .delete('/items/:id', door('CLOSED'))
      .all('/public/*', door('PUBLIC'))
      .all('/*', door('OPEN'))
      .listen({ hostname: '127.0.0.1', port })
  },
}

await apps[framework]()
