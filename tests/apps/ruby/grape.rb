# Grape with its own parameters; what is thrown, and its refusals, go out as its guide has it.
require 'grape'
require 'rack/handler/webrick'

class Orders < Grape::API
  format :json
  content_type :form, 'application/x-www-form-urlencoded'
  rescue_from :all
  rescue_from :grape_exceptions
  parser :form, ->(body, _env) { Rack::Utils.parse_nested_query(body) }

  params do
    requires :name, type: String
    requires :items, type: Array do
      requires :sku, type: String
      requires :qty, type: Integer
    end
  end
  post('/orders') { params }

  params { requires :page, type: Integer }
  get('/orders') { params }

  params { requires :id, type: Integer }
  get('/orders/:id') { params }

  params { requires :qty, type: Integer }
  post('/form') { params }

  get('/boom') { raise 's3cret, at /srv/app' }
end

quiet = { Logger: WEBrick::Log.new(File::NULL), AccessLog: [] }
Rack::Handler::WEBrick.run(Orders, Host: '127.0.0.1', Port: Integer(ARGV.last), **quiet)
