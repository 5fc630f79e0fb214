;;; The doors of `doors.js` of Hunchentoot: sbcl --script doors.lisp PORT.
(require :asdf)
(asdf:load-system :hunchentoot)
(use-package :hunchentoot)

(defun door (name pattern &optional method)
  (let ((matches (create-regex-dispatcher pattern
          (lambda ()
            (setf (content-type*) "text/plain")
            (format nil "~a-REACHED ~a ~a" name (request-method*) (script-name*))))))
    (lambda (request)
      (when (or (not method) (eq method (request-method request))) (funcall matches request)))))

(setf *dispatch-table*
  (list (door "CLOSED" "^/admin(/|$)") (door "CLOSED" "^/orders$" :post) (door "CLOSED" "^/items/[^/]+$" :delete)
        (door "PUBLIC" "^/public/") (door "OPEN" "^")))
(start (make-instance 'easy-acceptor :address "127.0.0.1" :port (parse-integer (second sb-ext:*posix-argv*))
                                     :document-root nil :access-log-destination nil :message-log-destination nil))
(loop (sleep 1000))
