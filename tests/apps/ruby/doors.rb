# The doors of `doors.js` on Puma, behind Rack's own override of the method: ruby doors.rb PORT.
require 'rack'

def door(method, path)
  return 'CLOSED' if path == '/admin' || path.start_with?('/admin/')
  return 'CLOSED' if method == 'POST' && path == '/orders'
  return 'CLOSED' if %w[DELETE LINK].include?(method) && path.start_with?('/items/')

  path.start_with?('/public/') ? 'PUBLIC' : 'OPEN'
end

doors = lambda do |env|
  method, path = env.values_at('REQUEST_METHOD', 'PATH_INFO')
  [200, { 'content-type' => 'text/plain' }, ["#{door(method, path)}-REACHED #{method} #{path}"]]
end

# It keeps a connection whose head it refused until this time is over.
Rack::Handler.get('puma').run(
  Rack::MethodOverride.new(doors), Host: '127.0.0.1', Port: Integer(ARGV.last), Silent: true, persistent_timeout: 0.1
)
