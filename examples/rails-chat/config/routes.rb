# frozen_string_literal: true

Rails.application.routes.draw do
  root "messages#index"
  resources :messages, only: :create
  get "messages.csv", to: "messages#export", as: :export
  resources :files, only: %i[create show], constraints: { id: %r{[^/]+} }
end
