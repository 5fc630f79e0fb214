;;; The doors of `doors.js` of Guile's web server, which splits a path before it decodes it: guile doors.scm PORT.
(use-modules (web server) (web request) (web uri) (ice-9 match))

(define (answer request body)
  (define method (request-method request))
  (define path (split-and-decode-uri-path (uri-path (request-uri request))))
  (define door
    (match (cons method path)
      ((_ "admin" . _) 'CLOSED)
      (('POST "orders") 'CLOSED)
      (('DELETE "items" _) 'CLOSED)
      ((_ "public" _ . _) 'PUBLIC)
      (_ 'OPEN)))
  (values '((content-type . (text/plain))) (format #f "~a-REACHED ~a ~s" door method path)))

(run-server answer 'http (list #:host "127.0.0.1" #:port (string->number (cadr (command-line)))))
