# The line of the recipe in an application of Rails that fails.
require 'rails'
require 'action_controller/railtie'

class App < Rails::Application
  config.root = __dir__
  config.eager_load = false
  config.secret_key_base = 'not secret'
  config.hosts.clear
  config.logger = ActiveSupport::TaggedLogging.new(Logger.new($stdout))
  class_eval(File.read(File.join(__dir__, 'application.rb')))
  routes.append { get '/orders/:id' => 'orders#show' }
end

class OrdersController < ActionController::Base
  def show
    raise 'db-3 refused the connection'
  end
end

App.initialize!
run App
