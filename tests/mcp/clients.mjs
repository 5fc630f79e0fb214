// TypeScript's own clients of MCP, of both generations, over the gateway with `dialect = "jsonrpc"`: what their errors hold (R10).
//
//     node clients.mjs GATEWAY_COMMAND POLICY
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { after, suite, test } from 'node:test'
import * as newer from '@modelcontextprotocol/client'
import { extractWWWAuthenticateParams } from '@modelcontextprotocol/sdk/client/auth.js'
import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { StreamableHTTPClientTransport, StreamableHTTPError } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import { InvalidClientMetadataError, InvalidGrantError } from '@modelcontextprotocol/sdk/server/auth/errors.js'
import { McpError } from '@modelcontextprotocol/sdk/types.js'
import { z } from 'zod'
import { BREAK, METADATA, start } from './service.mjs'

const [command, policy] = process.argv.slice(2)
const PUBLIC = 'https://mcp.example.com'

const service = await start()
const upstream = `http://127.0.0.1:${service.address().port}`
const gateway = spawn(command, ['gateway', '--listen', '127.0.0.1:0', '--upstream', upstream, '--policy', policy], {
  stdio: ['ignore', 'pipe', 'ignore'],
})
after(async () => {
  gateway.kill()
  await once(gateway, 'exit')
  service.close()
  service.closeAllConnections()
})
const started = async () => {
  for await (const line of createInterface({ input: gateway.stdout })) {
    const found = /listening on (\S+)/.exec(line)
    if (found) return found[1]
  }
  throw new Error('the gateway did not start')
}
const url = await started()

// What each generation makes of an HTTP status, of a JSON-RPC error in a stream, and of OAuth's errors.
const GENERATIONS = {
  '@modelcontextprotocol/sdk': {
    Client,
    Transport: StreamableHTTPClientTransport,
    callTool: (client, name, args, options) => client.callTool({ name, arguments: args }, undefined, options),
    ofStatus: (error) => {
      assert(error instanceof StreamableHTTPError, error)
      return { status: error.code, body: error.message.replace('Streamable HTTP error: Error POSTing to endpoint: ', '') }
    },
    ofRpc: (error) => {
      assert(error instanceof McpError, error)
      return { code: error.code, message: error.message.replace(`MCP error ${error.code}: `, ''), data: error.data }
    },
    timeout: -32001,
    scope: { name: 'Error', message: /^Streamable HTTP error: .*"Insufficient scope".*"request_id":"req_/ },
    registration: (error) => error instanceof InvalidClientMetadataError && error.message === 'Redirects go to https.',
    grant: (error) => error instanceof InvalidGrantError && error.message === 'No such code',
  },
  '@modelcontextprotocol/client': {
    Client: newer.Client,
    Transport: newer.StreamableHTTPClientTransport,
    callTool: (client, name, args, options) => client.callTool({ name, arguments: args }, options),
    ofStatus: (error) => {
      assert(error instanceof newer.SdkHttpError, error)
      return { status: error.status, body: error.data.text }
    },
    ofRpc: (error) => {
      assert(error instanceof newer.ProtocolError, error)
      return { code: error.code, message: error.message, data: error.data }
    },
    timeout: 'REQUEST_TIMEOUT',
    scope: { name: 'InsufficientScopeError', message: 'Insufficient scope: required "tools"' },
    registration: (error) =>
      error instanceof newer.RegistrationRejectedError &&
      error.message.endsWith('(HTTP 400): {"error":"invalid_client_metadata","error_description":"Redirects go to https."}'),
    grant: (error) => error instanceof newer.OAuthError && error.code === 'invalid_grant' && error.message === 'No such code',
  },
}

// What a client stores of an authorization; a person would follow the redirect.
const authProvider = (redirectUrl) => {
  const stored = {}
  return {
    redirectUrl,
    clientMetadata: { redirect_uris: [redirectUrl], client_name: 'agent' },
    clientInformation: () => stored.client,
    saveClientInformation: (client) => void (stored.client = client),
    tokens: () => undefined,
    saveTokens: () => assert.fail('a token was issued'),
    redirectToAuthorization: () => {},
    saveCodeVerifier: (verifier) => void (stored.verifier = verifier),
    codeVerifier: () => stored.verifier,
  }
}

// As other clients may write a call: white space behind the id, the id last, and two ids, of which neither is taken.
test('an id is read wherever it stands', async () => {
  for (const [body, id] of [
    ['{"id":1 }', 1],
    [JSON.stringify({ jsonrpc: '2.0', method: 'tools/list', id: 'a-1' }, null, 2), 'a-1'],
    ['{"id":1,"jsonrpc":"2.0","method":"tools/list","id":2 }', null],
  ]) {
    const response = await fetch(`${url}/nowhere`, { method: 'POST', headers: { 'content-type': 'application/json' }, body })
    const { error, ...found } = await response.json()
    assert.deepEqual([response.status, found, error.data.code], [404, { jsonrpc: '2.0', id }, 'not_found'], body)
  }
})

for (const [name, { Client, Transport, callTool, ofStatus, ofRpc, ...expected }] of Object.entries(GENERATIONS)) {
  // Connects, and runs the work; keeps the responses of the gateway, whose public name leads nowhere.
  const connected = async (path, work, options = {}) => {
    const responses = []
    const fetchByGateway = async (address, init) => {
      const response = await fetch(String(address).replace(PUBLIC, url), init)
      responses.push(response)
      return response
    }
    const transport = new Transport(new URL(PUBLIC + path), { fetch: fetchByGateway, ...options })
    const client = new Client({ name: 'agent', version: '1.0.0' })
    try {
      await client.connect(transport)
      return { result: await work(client), responses, transport }
    } catch (error) {
      return { error, responses, transport }
    } finally {
      await client.close()
    }
  }
  const list = (client) => client.listTools()
  const withToken = (token) => ({ requestInit: { headers: { authorization: `Bearer ${token}` } } })
  const checkData = (data, code, retry, details) => {
    const { request_id, ...others } = data
    assert.match(request_id, /^req_[0-9A-Z]{26}$/)
    assert.deepEqual(others, { code, ...(details && { details }), retry, docs: `https://docs.example.com/errors#${code}` })
    return request_id
  }
  /** The error that an HTTP status became, and the response that was it. */
  const refused = async (path, work, options, [status, number, message, code, retry, details]) => {
    const { error, responses } = await connected(path, work, options)
    const found = ofStatus(error)
    const body = JSON.parse(found.body)
    assert.equal(found.status, status)
    assert.deepEqual([body.jsonrpc, body.error.code, body.error.message], ['2.0', number, message])
    const id = checkData(body.error.data, code, retry, details)
    const response = responses.find((response) => response.headers.get('x-request-id') === id)
    assert.deepEqual([response.status, response.headers.get('x-error-code')], [status, code])
    return response
  }

  suite(name, () => {
    test('without an error the gateway is not seen', async () => {
      const { result } = await connected('/mcp', (client) => callTool(client, 'echo', { text: 'tram' }))
      assert.equal(result.content[0].text, 'tram')
    })

    test('a body that is too large', () =>
      refused('/mcp', (client) => callTool(client, 'echo', { text: 'x'.repeat(65536) }), {}, [
        413, -32040, 'The request body is too large.', 'payload_too_large', 'no', { limit_bytes: 65536 },
      ]))

    test('a service that is down', () =>
      refused('/down', list, {}, [502, -32603, 'An upstream provider failed.', 'other', 'backoff']))

    test('a closed route', async () => {
      const missing = [401, -32010, 'No credentials were sent.', 'auth_missing', 'no']
      const invalid = [401, -32011, 'The credentials do not match any active key.', 'auth_invalid', 'no']
      for (const [options, error, reason] of [[{}, missing, ''], [withToken('x'), invalid, 'error="invalid_token", ']]) {
        const response = await refused('/closed', list, options, error)
        assert.equal(response.headers.get('www-authenticate'), `Bearer ${reason}resource_metadata="${METADATA}"`)
        assert.equal(extractWWWAuthenticateParams(response).resourceMetadataUrl.href, METADATA)
      }
      const { result } = await connected('/closed', list, withToken('sesame'))
      assert.deepEqual(result.tools.map((tool) => tool.name), ['echo', 'story'])
    })

    test('a token that the service refuses', async () => {
      const response = await refused('/own', list, {}, [
        401, -32010, 'Missing Authorization header', 'auth_missing', 'no', { upstream_code: 'invalid_token' },
      ])
      const challenge = (reason, text) =>
        `Bearer error="${reason}", error_description="${text}", scope="tools", resource_metadata="${METADATA}"`
      assert.equal(response.headers.get('www-authenticate'), challenge('invalid_token', 'Missing Authorization header'))

      const { error, responses } = await connected('/own', list, withToken('narrow'))
      assert.throws(() => { throw error }, expected.scope)
      const { status, headers } = responses.at(-1)
      assert.deepEqual([status, headers.get('x-error-code')], [403, 'forbidden'])
      assert.equal(headers.get('www-authenticate'), challenge('insufficient_scope', 'Insufficient scope'))
    })

    test("OAuth's errors pass", async () => {
      for (const path of ['/closed', '/own']) {
        const registering = await connected(path, list, { authProvider: authProvider('http://localhost/back') })
        assert(expected.registration(registering.error), registering.error)

        const { transport } = await connected(path, list, { authProvider: authProvider('https://agent.example/back') })
        await assert.rejects(transport.finishAuth('stolen'), expected.grant)
      }
    })

    test("an unknown method keeps the server's error", async () => {
      const { error } = await connected('/mcp', (client) => client.request({ method: 'trams/park', params: {} }, z.object({})))
      assert.deepEqual(ofRpc(error), { code: -32601, message: 'Method not found', data: undefined })
    })

    const story = (path, timeout = 10000) => {
      const read = []
      const onprogress = ({ message }) => read.push(message)
      return connected(path, async (client) => {
        try {
          return await callTool(client, 'story', {}, { onprogress, timeout })
        } finally {
          assert.deepEqual(read, [BREAK])
        }
      })
    }

    test('a stream that breaks off ends with an error', async () => {
      const { error } = await story('/mcp')
      const { code, message, data } = ofRpc(error)
      assert.deepEqual([code, message], [-32603, 'An upstream provider failed.'])
      checkData(data, 'other', 'backoff')
    })

    test('without the key the call waits for its own time limit', async () => {
      const { error } = await story('/broken', 2000)
      assert.equal(error.code, expected.timeout)
    })

    test('a stream with ids is resumed unless an error ends it', async () => {
      const { result } = await story('/resumed')
      assert.equal(result.content[0].text, 'the end')
      const { error } = await story('/ended')
      checkData(ofRpc(error).data, 'other', 'backoff')
    })
  })
}
